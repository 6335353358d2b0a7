"""What Luthier knows: hyperparameters, the chapter, errors; as data, in English and Chinese."""

from luthier.knowledge.entry import LANGUAGES as LANGUAGES
from luthier.knowledge.entry import Entry as Entry
from luthier.knowledge.entry import find as find
from luthier.knowledge.entry import load as load
from luthier.knowledge.page import explain as explain
