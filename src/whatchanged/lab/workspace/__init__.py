"""What an agent finds in its workspace: libraries to import, skills, files, code that has run before it begins."""

from whatchanged.lab.workspace.library import Library
from whatchanged.lab.workspace.skill import Skill
from whatchanged.lab.workspace.workspace import Workspace

__all__ = ["Library", "Skill", "Workspace"]
