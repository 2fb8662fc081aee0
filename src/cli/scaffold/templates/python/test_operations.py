import unittest
from unittest.mock import Mock

from operations import greet


class Greet(unittest.TestCase):
    def test_greets_by_name(self):
        self.assertEqual(greet({'name': 'Ada'}, Mock()), {'message': 'Hello, Ada!'})


if __name__ == '__main__':
    unittest.main()
