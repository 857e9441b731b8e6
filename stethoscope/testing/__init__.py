"""For tests of an app: how many queries it may send, as a mark of pytest.

plugin   what pytest loads
mark     what ``@pytest.mark.stethoscope(…)`` says
report   what is said of a test that fails by it
"""
