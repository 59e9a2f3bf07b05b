"""What was found, by fuzzing or by hand: each stays a case. ``make fuzz`` prints new ones in the form that stands here."""

from __future__ import annotations

#: The target, and the bytes.
CASES: tuple[tuple[str, bytes], ...] = (
    ("answers", b"[" * 100_000),  # RecursionError
    ("answers", b'{"done": true, "totalSize": 1e999, "records": []}'),  # OverflowError
    ("answers", b'{"totalSize": ' + b"9" * 5_000 + b"}"),  # ValueError of Python's own limit
    ("answers", b'{"done": true, "totalSize": 1, "records": [' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]}"),
    ("answers", b'{"hasErrors": true, "results": [{"statusCode": "x"}]}'),  # ValueError of int()
    ("answers", b"<title>" + b" " * 20_000),  # 20 s
    ("connection extras", b'{"a":' * 50_000),  # RecursionError
    ("connection extras", b'{"a": ' + b"9" * 5_000 + b"}"),  # Python's own words, which name no field
    ("keys", b"%" + b"25" * 20_000 + b"41"),  # minutes
    ("keys", b"<" + b" " * 20_000 + b"x"),  # 10 s
    ("receipts", b"[" * 100_000),  # RecursionError
    ("result pages", b'"' + b"x" * 200_000 + b'"\n"a"\n'),  # csv.Error of a name longer than Python's own limit
    ("row errors", b"CODE:text:" + b" " * 30_000 + b"! --"),  # 1.2 s
    ("SOQL", b"SELECT Id FROM A WHERE B = '" + b"\\'" * 50_000),  # 20 s
    ("SOQL", b"SELECT " * 15_000),  # 20 s
    ("URLs", b"https://a.my.salesforce.com" + b"/" * 100_000 + b"x"),  # 20 s
)
