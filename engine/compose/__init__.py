"""What is said: templates filled in, in the person's language, or a named reason why nothing can be said."""

from engine.compose.check import check_template
from engine.compose.composer import Composer
from engine.compose.needs import names_written
from engine.compose.problems import TemplateError

__all__ = ["Composer", "TemplateError", "check_template", "names_written"]
