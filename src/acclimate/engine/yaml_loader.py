"""YAML as recipes and settings are read."""

from __future__ import annotations

import re

import yaml


class Loader(yaml.SafeLoader):
    """YAML as its version 1.2 reads numbers: ``2e-5`` is one, where PyYAML alone takes it for a string."""


Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"), list("-+.0123456789"))
