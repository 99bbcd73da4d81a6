# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Directives in files that are included, as Debian's conf-enabled does it."""

from harness.front import announcement_of
from harness.stage import CLUSTER_OF_9


def test_a_cluster_in_included_files(stage):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(
        "IncludeOptional ${root}/conf-enabled/*.conf\nInclude ${root}/conf-enabled/one.conf.part\n", start=False
    )
    folder = front.root / "conf-enabled"
    folder.mkdir()
    # In the order of their names; a chain may be continued by the next file, for it is the same server.
    (folder / "10-cluster.conf").write_text(CLUSTER_OF_9 + "BackhandTrace On\n")
    (folder / "20-chain.conf").write_text("Backhand removeSelf\n")
    (folder / "30-chain.conf").write_text("Backhand byLoad\n")
    (folder / "one.conf.part").write_text("<Location /here>\nBackhand off\n</Location>\n")
    front.put("here", "here")
    front.start()
    stage.plant(front, announcement_of(backend))
    answer = front.get("/")
    assert (answer.text, [step.name for step in answer.trace.chain]) == (backend.id, ["removeSelf", "byLoad"])
    assert front.get("/here").text == "here"


def test_an_error_names_the_included_file(stage):
    front = stage.httpd("Include ${root}/part.conf\n", start=False)
    (front.root / "part.conf").write_text("\nBackhandScheme ftp\n")
    code, text = front.test_config()
    assert code == 1 and f"Syntax error on line 2 of {front.root}/part.conf" in text and "BackhandScheme: 'ftp'" in text
