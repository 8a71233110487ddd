"""What runs beside the kernel, inside the sandbox. These modules are sent there as text (see ``link.py``).

They import the standard library, ``jupyter_client`` and ``zmq``, and one another, nothing else.
"""
