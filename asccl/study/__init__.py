"""User studies: which of two or more methods do people prefer? Start reading at plan.py, session.py and results.py.

plan.py holds the questions and rules; manifest.py and clips.py bring the clips in; design.py decides which trials a
participant gets; session.py and answering.py take a participant through them; store.py and schema.py keep everything;
stats.py, comparisons.py and answer_quality.py compute the results; web/ has the pages.
"""
