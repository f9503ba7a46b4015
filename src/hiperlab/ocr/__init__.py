"""Text in pictures that no console font matches: the optional extra ``hiperiso[ocr]``."""

from hiperlab.ocr.tesseract import TesseractReader, ocr_problem, picture_reader

__all__ = ["TesseractReader", "ocr_problem", "picture_reader"]
