"""What is held about a person: given to him on request, and erased after he left.

`repository` is the inventory: whoever stores personal data in a new place adds it there, and both follow.
"""
