"""The configuration: YAML text in, a checked `Config` or every problem at once out.

Reading order: `errors`, `units`, `values`, `interpolate`, `document`, `model`, `semantics`, `load`.
It runs in the control plane only; a worker receives a plan and never imports this package.
"""

from .errors import ConfigError, Mark, Problem
from .load import load_config, parse_config
from .model import Config

__all__ = ["Config", "ConfigError", "Mark", "Problem", "load_config", "parse_config"]
