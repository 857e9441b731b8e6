"""What a snapshot says, as documents of plain JSON types.

Each module has the shapes of its documents, whose annotations are the words for people: the API's
description and the page's hints are made from them. Nothing here knows of HTTP.
"""
