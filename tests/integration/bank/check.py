"""The bank from Python: what it decodes and encodes is what protocol buffers do, byte for byte."""
import sys
from cell_client import Client, CellError

bank = Client("bank")
name, request, reply = bank.methods["cell.bank.v1.Bank/File"]
assert request is reply, (request, reply)

# What the C client encoded.
with open(sys.argv[1], "rb") as file:
    bytes_of_c = file.read()
profile = request.FromString(bytes_of_c)
assert profile.SerializeToString(deterministic=True) == bytes_of_c
assert profile.account == 2**64 - 1 and profile.tags == ["old", "", "zürich"], profile
assert list(profile.quarters) == [1, -2, 3, 0] and profile.limits["ch"].name == "s", profile
assert profile.HasField("rate") and profile.rate == 0 and profile.HasField("seal"), profile
assert profile.heir.HasField("born") and profile.heir.born == 0, profile

# What Python encodes: the bank decodes it, copies the struct, and encodes that.
def same(country=None, **fields):
    message = request(**fields)
    if country is not None:
        message.limits[country].name = "z"
    sent = message.SerializeToString(deterministic=True)
    got = next(bank._answers(name, sent, 30))
    at = next((i for i, (a, b) in enumerate(zip(sent, got)) if a != b), min(len(sent), len(got)))
    assert got == sent, (at, len(sent), len(got), sent[max(0, at - 20):at + 20], got[max(0, at - 20):at + 20])

holder = {"name": "ada"}
same(holder=holder, iban=bytes(range(16)), quarters=[0, 0, 0, 9])
same(holder=holder, iban=b"\xff" * 16, quarters=[1] * 4, account=1, delta=-2**31, visits=2**32 - 1, is_vip=True,
     weight=-0.0, rate=1e300, note="\N{SNOWMAN}", seal=b"\0", currency="EUR", standing=5, was=[0, 1, 5, 77],
     history=[0, -1, 2**63 - 1, -2**63], keys=[b"", b"\xff" * 5000], photo=b"\n" * 70000, tags=["a" * 300],
     others=[{"name": "x" * 40, "born": -5}] * 200, heir={"name": "y"}, country="")
for wrong in {"currency": "euro"}, {"iban": b"short"}, {"quarters": [1, 2]}, {"holder": {"name": ""}}:
    try:
        same(**{"holder": holder, **wrong})
    except CellError as error:
        assert error.status == "INVALID_ARGUMENT", error
    else:
        raise AssertionError(wrong)
print("the same bytes")
