"""Adapt an edit to the face of a clip: offsets of the free units that serve the emotion under bounds.

Start reading at adapt.py and search.py. `samples.py` chooses and reduces sample frames, `directions.py` names the
directions in which a face may be moved, `measures.py` measures an edit by networks, `objective.py` rates these
measures, `bounds.py` bounds what an edit costs, `outcome.py` says how it turned out.
"""
