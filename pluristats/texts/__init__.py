"""Texts that go to and come from language models: tables of them as files, and the templates that ask.

>>> from pluristats.texts import load_template
>>> load_template("variant", ("level", "text")).name
'variant/1'
"""

from pluristats.texts.files import check_place, packaged, read_table, write_table
from pluristats.texts.templates import Template, load_template

__all__ = ["Template", "check_place", "load_template", "packaged", "read_table", "write_table"]
