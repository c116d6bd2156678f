"""Random messages of fixture.proto: their bytes in hex, a tab, and their JSON as python3-protobuf has it.

usage: json_oracle.py DESCRIPTOR_SET SEED COUNT
"""
import random
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

FLOATS = [0.0, -0.0, 1.0, 0.1, -2.5, 3.4e38, 1e-30, 123456.7, float("inf"), float("nan"), 5e-324, 1e300]


def pick(rng, field):
    kind = field.cpp_type
    low, high = {
        field.CPPTYPE_INT32: (-2**31, 2**31 - 1),
        field.CPPTYPE_INT64: (-2**63, 2**63 - 1),
        field.CPPTYPE_UINT32: (0, 2**32 - 1),
        field.CPPTYPE_UINT64: (0, 2**64 - 1),
    }.get(kind, (0, 0))
    if high:
        return rng.choice([low, high, 0, 1, rng.randint(low, high)])
    if kind == field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == field.CPPTYPE_FLOAT:
        return rng.choice([f for f in FLOATS if f == 0 or f != f or f > 1e300 and f == f * 2 or 1e-31 < abs(f) < 3.5e38])
    if kind == field.CPPTYPE_DOUBLE:
        return rng.choice(FLOATS + [rng.random(), rng.uniform(-1e20, 1e20)])
    if kind == field.CPPTYPE_ENUM:
        return rng.choice([v.number for v in field.enum_type.values] + [7777])
    if field.type == field.TYPE_BYTES:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(9)))
    return "".join(rng.choice("aB \"\\\n\u00e4\u4e16\U0001f600/\x01\x00") for _ in range(rng.randrange(7)))


def fill(rng, message, depth):
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds = rng.choice([0, 1, -62135596800, 253402300799, rng.randrange(2**32)])
        message.nanos = rng.choice([0, 10000000, 999999999, 5000])
        return
    if name == "google.protobuf.Duration":
        sign = rng.choice([-1, 1])
        message.seconds = sign * rng.choice([0, 1, 315576000000])
        message.nanos = sign * rng.choice([0, 500000000, 1])
        return
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.6 or (field.message_type and depth > 3):
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            table = getattr(message, field.name)
            for _ in range(rng.randrange(4)):
                name = pick(rng, key)
                # No NUL: jansson, which reads the JSON, has none in keys.
                name = name.replace("\0", "") if isinstance(name, str) else name
                if value.message_type:
                    fill(rng, table[name], depth + 1)
                else:
                    table[name] = pick(rng, value)
        elif field.label == field.LABEL_REPEATED:
            for _ in range(rng.randrange(4)):
                if field.message_type:
                    fill(rng, getattr(message, field.name).add(), depth + 1)
                else:
                    getattr(message, field.name).append(pick(rng, field))
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            fill(rng, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, pick(rng, field))


def main():
    with open(sys.argv[1], "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    item = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("cell.fixture.v1.Item"))
    rng = random.Random(int(sys.argv[2]))
    for _ in range(int(sys.argv[3])):
        message = item()
        fill(rng, message, 0)
        print(message.SerializeToString().hex(), json_format.MessageToJson(message, indent=None), sep="\t")


main()
