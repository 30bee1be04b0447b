NAME: str
DEBUG: bool
