"""Watches a functions source directory and calls back, once, after a burst of changes."""

import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

# An editor's save is several events within milliseconds, a branch switch within some tens.
_QUIET_SECONDS = 0.1
_IGNORED_DIRECTORIES = frozenset({"venv", "__pycache__", "node_modules"})
_CHANGES = frozenset({"created", "modified", "moved", "deleted"})


class Watch(FileSystemEventHandler):
    """From `start` to `stop`. The virtual environment, caches, and what begins with a dot (but .env) are ignored."""

    def __init__(self, directory: Path, changed: Callable[[], None]) -> None:
        self._directory = directory.resolve()
        self._changed = changed
        self._observer = Observer()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._watched: set[Path] = set()

    def start(self) -> None:
        # The root alone and each directory in it: watching the root recursively would watch thousands in venv.
        self._observer.schedule(self, str(self._directory), recursive=False)
        for child in self._directory.iterdir():
            self._follow(child)
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = Path(str(event.dest_path or event.src_path))
        if event.event_type not in _CHANGES or not self._matters(path):
            return
        if event.is_directory:
            if event.event_type == "created" and path.parent == self._directory:
                self._follow(path)
            return
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(_QUIET_SECONDS, self._changed)
            self._timer.daemon = True
            self._timer.start()

    def _follow(self, path: Path) -> None:
        if path.is_dir() and self._matters(path) and path not in self._watched:
            self._watched.add(path)
            self._observer.schedule(self, str(path), recursive=True)

    def _matters(self, path: Path) -> bool:
        try:
            parts = path.relative_to(self._directory).parts
        except ValueError:
            return False
        name = parts[-1] if parts else ""
        if name.startswith((".env", ".secret")):
            return True
        return not any(part.startswith(".") or part in _IGNORED_DIRECTORIES for part in parts) and not name.endswith(
            (".pyc", "~", ".swp", ".tmp")
        )
