"""User studies: which of two methods do people prefer? Start reading at plan.py, then session.py and results.py.

plan.py is what is asked and by which rules; manifest.py and clips.py bring the clips in; design.py decides who sees
what; session.py is one participant's walk; store.py keeps the answers; stats.py and results.py read them.
"""
