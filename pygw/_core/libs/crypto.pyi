from pygw._core.libs.wheel import LibraryError, LibraryInfo

info: LibraryInfo | None
problem: LibraryError | None
