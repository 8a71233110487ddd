"""Sessions: an agent's notebook or shell in a sandbox, and the MCP server through which it works there.

A kernel's driver runs beside the kernel (``inside/``) and speaks over the pipe of one process, so local and remote
sandboxes are driven alike and no port is opened. The notebook lives on this machine and is complete at any moment.
"""

from whatchanged.lab.execution.bridge import Bridge
from whatchanged.lab.execution.cell import CellResult
from whatchanged.lab.execution.cli_session import CLISession
from whatchanged.lab.execution.create import create_cli_session, create_local_session, create_notebook_session
from whatchanged.lab.execution.session import NotebookSession
from whatchanged.lab.execution.toolbox import Picture, Toolbox

create_local_notebook_session = create_local_session
"""The name under which scripts know a notebook on this machine."""

__all__ = [
    "Bridge",
    "CLISession",
    "CellResult",
    "NotebookSession",
    "Picture",
    "Toolbox",
    "create_cli_session",
    "create_local_notebook_session",
    "create_local_session",
    "create_notebook_session",
]
