"""Say in a few sentences what an inspection shows."""

from __future__ import annotations

from asccl.provenance.inspection import Inspection, ManifestAction, Signature
from asccl.provenance.manifest import OPENED_ACTION

MAX_LISTED_ACTIONS = 5
STATES = {
    "valid": "holds: picture and sound are unchanged since it was signed",
    "broken": "broken: the file was changed after it was signed, or the signature is forged",
    "none": "none",
    "unreadable": "damaged, or not inside the file",
    "unchecked": "not checked",
}
SIGNERS = {
    "this machine": "the certificate of this machine",
    "self-made": "a certificate that ASCCL made on another machine, which anybody can make: it does not say who signed",
    "other": "{signer}, says the certificate; it is not compared with a list of trusted issuers",
}
BROKEN_SELF_MADE = "a certificate that ASCCL made on some machine, as anybody can: it does not say who signed"
NO_TRACE = (
    "unknown: nothing in the file says so. That proves nothing, because encoding a file anew, "
    "as most platforms do, removes signature and metadata"
)
ONLY_METADATA = "A manifest was never written, or was lost when the file was encoded or packed anew."


def summarize_inspection(inspection: Inspection) -> str:
    """Sum up an inspection in one sentence."""
    if inspection.is_edited is None:
        return "Nothing in this file says that it was edited"
    if inspection.signature.state == "valid":
        return "Edited, and unchanged since it was signed"
    if inspection.signature.state == "broken":
        return "Edited, and changed since it was signed, or the signature is forged"
    return "Edited, as it says itself; no signature proves it"


def describe_inspection(inspection: Inspection) -> dict[str, str]:
    """Describe an inspection in sentences, by label: edited, signature, signed by, source, before."""
    lines = {"edited": _describe_edit(inspection), "signature": _describe_signature(inspection)}
    signature = inspection.signature
    if signature.signer:
        lines["signed by"] = _describe_signer(signature)
    if inspection.source_sha256:
        lines["source"] = f"sha256 {inspection.source_sha256}"
    earlier = [action for action in inspection.earlier if action.action != OPENED_ACTION]
    if earlier:
        lines["before"] = _list_actions(earlier)
    return lines


def describe_action(action: ManifestAction) -> str:
    """Describe one action: what was done, how strongly, by which software."""
    if action.intensity is None:
        name = action.description or action.action.removeprefix("c2pa.").replace("_", " ")
        return f"{name} by {action.software or 'an unknown program'}"
    target = " ".join(filter(None, [action.emotion, "like a reference" if action.has_reference else ""]))
    generator = f", generator {action.generator}" if action.generator else ""
    return f"expression changed to {target}, intensity {action.intensity:g}{generator}, by {action.software}"


def _list_actions(actions: list[ManifestAction]) -> str:
    listed = "; ".join(describe_action(action) for action in actions[:MAX_LISTED_ACTIONS])
    hidden = len(actions) - MAX_LISTED_ACTIONS
    return f"{listed}; and {hidden} more" if hidden > 0 else listed


def _describe_edit(inspection: Inspection) -> str:
    actions = [action for action in inspection.actions if action.action != OPENED_ACTION]
    if actions:
        doubt = "" if inspection.signature.state == "valid" else ", says a manifest whose signature does not hold"
        return f"yes{doubt}: {_list_actions(actions)}"
    if inspection.metadata_edit is not None:
        return f"yes, say the metadata, which anybody can change: {describe_action(inspection.metadata_edit)}"
    return NO_TRACE


def _describe_signature(inspection: Inspection) -> str:
    signature = inspection.signature
    text = STATES[signature.state]
    if signature.problems:
        text += f" ({', '.join(signature.problems)})"
    if signature.state == "none" and inspection.metadata_edit is not None:
        text += f". {ONLY_METADATA}"
    return text


def _describe_signer(signature: Signature) -> str:
    text = SIGNERS[signature.signer_kind].format(signer=signature.signer)
    if signature.signer_kind == "self-made" and signature.state == "broken":
        return BROKEN_SELF_MADE
    if signature.signer_kind == "this machine":
        text += " (self-made and untrusted: nobody vouches for it)" if "untrusted" in signature.signer else ""
    return text
