"""The formats that an export is made of. A new one is a `Renderer` and a line here."""

from remit.adapters.accounting.beancount import Beancount
from remit.adapters.accounting.csv_set import CsvSet
from remit.adapters.accounting.hledger import Hledger
from remit.usecases.export_files import RendererFactory

FORMATS: tuple[RendererFactory, ...] = (CsvSet, Beancount, Hledger)
