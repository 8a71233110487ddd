"""The program Modal puts into every sandbox for its file calls: one command as JSON, bytes on stdin and stdout."""

import json
import os
import pwd
import shutil
import stat
import sys

REFUSALS = (
    (FileNotFoundError, "NotFound", "no such file or directory"),
    (IsADirectoryError, "IsDirectory", "is a directory"),
    (NotADirectoryError, "NotDirectory", "not a directory"),
    (FileExistsError, "PathAlreadyExists", "already exists"),
    (PermissionError, "PermissionDenied", "permission denied"),
)


def described(path):
    found = os.lstat(path)
    kind = "symlink" if stat.S_ISLNK(found.st_mode) else "directory" if stat.S_ISDIR(found.st_mode) else "file"
    entry = {
        "name": os.path.basename(path),
        "path": path,
        "type": kind,
        "size": found.st_size,
        "mode": found.st_mode,
        "permissions": stat.filemode(found.st_mode),
        "owner": pwd.getpwuid(found.st_uid).pw_name,
        "group": str(found.st_gid),
        "modified_time": found.st_mtime,
    }
    if kind == "symlink":
        entry["symlink_target"] = os.readlink(path)
    return entry


def run(name, path, options):
    if name == "ReadFile":
        with open(path, "rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)
    elif name == "WriteFile":
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
    elif name == "MakeDirectory":
        os.makedirs(path, exist_ok=True) if options["parents"] else os.mkdir(path)
    elif name == "ListFiles":
        json.dump([described(os.path.join(path, entry)) for entry in sorted(os.listdir(path))], sys.stdout)
    elif name == "Stat":
        json.dump(described(path), sys.stdout)
    elif name == "Remove":
        if not os.path.isdir(path) or os.path.islink(path):
            os.unlink(path)
        elif options["recursive"]:
            shutil.rmtree(path)
        else:
            os.rmdir(path)
    else:
        raise SystemExit(f"unknown command {name}")


((NAME, OPTIONS),) = json.loads(sys.argv[1]).items()
try:
    run(NAME, OPTIONS["path"], OPTIONS)
    sys.stdout.flush()
except OSError as error:
    kind, words = next(
        ((kind, words) for refused, kind, words in REFUSALS if isinstance(error, refused)), ("Other", str(error))
    )
    json.dump({"error_kind": kind, "message": words}, sys.stderr)
    raise SystemExit(1) from None
