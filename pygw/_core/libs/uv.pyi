from pygw._core.libs.wheel import LibraryInfo

info: LibraryInfo
