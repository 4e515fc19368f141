"""The web app: `python app.py [--host H] [--port P] [--share] [--browser] [--study-only]`; a Space runs it, too."""

import argparse
import os
from contextlib import suppress

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}  # before gradio is imported
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)  # else Gradio sums up all calls after every call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    parser.add_argument("--share", action="store_true", help="a public link; uploads then pass through gradio.live")
    parser.add_argument("--browser", action="store_true", help="open the app in the browser of this machine")
    parser.add_argument("--study-only", action="store_true", help="serve the pages of user studies and nothing else")
    arguments = parser.parse_args()
    from asccl.study.web.serve import serve_standalone
    from asccl.ui.address import check_port
    from asccl.ui.lifetimes import stop_on_signals
    from asccl.ui.program import run_app

    stop_on_signals()
    if problem := check_port(arguments.host, arguments.port):
        raise SystemExit(f"app.py: {problem}")
    if arguments.study_only:
        raise SystemExit(serve_standalone(arguments.host, arguments.port))
    with suppress(KeyboardInterrupt):  # stopped while it starts; later, Gradio expects it
        run_app(arguments.host, arguments.port, in_browser=arguments.browser, share=arguments.share)


if __name__ == "__main__":
    main()
