#!/usr/bin/env python3
"""Holds what telemetry.h writes as OTLP JSON against the official .proto files, with protobuf's own decoder.

    otlp_schema.py                 builds tests/rooms/otlp.c, checks the field table of telemetry.h and each document
    otlp_schema.py FILE...         checks these documents (.json one document, .jsonl one per line)

Each document must obey the rules that OTLP adds to protobuf's JSON (hexadecimal ids, numbers for enums, camelCase
names only, 64-bit integers as strings), must decode without an unknown field, and must say the same after a round
trip through the binary encoding. Needs google.protobuf, and either the package opentelemetry-proto or protoc with
the .proto files (--proto DIR; default ../shared/spec/fixtures/proto beside the project). Exit: 0 well, 1 a
failure, 77 skipped because a tool is missing.
"""
import base64, glob, json, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
SIGNALS = {"resourceSpans": "trace.v1.TracesData", "resourceMetrics": "metrics.v1.MetricsData",
           "resourceLogs": "logs.v1.LogsData"}
FILES = ["common/v1/common", "resource/v1/resource", "trace/v1/trace", "metrics/v1/metrics", "logs/v1/logs"]


def skip(why):
    print("skipped: otlp_schema: " + why)
    sys.exit(77)


try:
    from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
    from google.protobuf.descriptor import FieldDescriptor as F
except ImportError:
    skip("python has no google.protobuf")


def load_pool(proto_dir):
    """A pool that knows the OTLP messages, from protoc or from the package."""
    protoc = shutil.which("protoc")
    if protoc and os.path.isdir(proto_dir):
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run([protoc, "-I", proto_dir, "--include_imports", "--descriptor_set_out=" + out.name] +
                           ["opentelemetry/proto/%s.proto" % f for f in FILES], check=True)
            described = descriptor_pb2.FileDescriptorSet.FromString(open(out.name, "rb").read())
        pool = descriptor_pool.DescriptorPool()
        for f in described.file:
            pool.Add(f)
        return pool
    try:
        import importlib
        for f in FILES:
            importlib.import_module("opentelemetry.proto.%s_pb2" % f.replace("/", "."))
        return descriptor_pool.Default()
    except ImportError:
        skip("neither protoc with the .proto files nor the package opentelemetry-proto is here")


def message_class(descriptor):
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory().GetPrototype(descriptor)


def repeated(f):
    value = getattr(f, "is_repeated", None)
    return f.label == F.LABEL_REPEATED if value is None else value


class Bad(Exception):
    pass


def need(condition, where, what):
    if not condition:
        raise Bad("%s: %s" % (where, what))


INT64 = {F.TYPE_INT64: (-2**63, 2**63 - 1), F.TYPE_SFIXED64: (-2**63, 2**63 - 1), F.TYPE_SINT64: (-2**63, 2**63 - 1),
         F.TYPE_UINT64: (0, 2**64 - 1), F.TYPE_FIXED64: (0, 2**64 - 1)}
INT32 = {F.TYPE_INT32: (-2**31, 2**31 - 1), F.TYPE_SINT32: (-2**31, 2**31 - 1), F.TYPE_UINT32: (0, 2**32 - 1),
         F.TYPE_FIXED32: (0, 2**32 - 1), F.TYPE_ENUM: (0, 2**31 - 1)}


def check_scalar(f, v, where):
    """One value as OTLP spells it; the return value is what protobuf's JSON wants in its place."""
    if f.type in INT64:
        need(isinstance(v, str) and re.fullmatch(r"-?(0|[1-9][0-9]*)", v), where, "not a decimal string: %r" % (v,))
        need(INT64[f.type][0] <= int(v) <= INT64[f.type][1], where, "out of range")
    elif f.type in INT32:
        need(isinstance(v, int) and not isinstance(v, bool), where, "not a whole number: %r" % (v,))
        need(INT32[f.type][0] <= v <= INT32[f.type][1], where, "out of range")
        if f.type == F.TYPE_ENUM:
            need(v in f.enum_type.values_by_number, where, "no such enum value: %d" % v)
    elif f.type == F.TYPE_DOUBLE:
        need((isinstance(v, (int, float)) and not isinstance(v, bool)) or v in ("NaN", "Infinity", "-Infinity"),
             where, "not a double: %r" % (v,))
    elif f.type == F.TYPE_BOOL:
        need(isinstance(v, bool), where, "not a bool: %r" % (v,))
    elif f.type == F.TYPE_STRING:
        need(isinstance(v, str), where, "not a string: %r" % (v,))
    elif f.name in IDS:
        need(isinstance(v, str) and re.fullmatch(r"[0-9a-f]{%d}" % (2 * IDS[f.name]), v), where, "not an id: %r" % (v,))
        need(int(v, 16) != 0, where, "an id of zeros")
        return base64.b64encode(bytes.fromhex(v)).decode()
    else:
        raise Bad("%s: unexpected type of field" % where)
    return v


def check_message(d, node, where):
    need(isinstance(node, dict), where, "not an object")
    names = {f.json_name: f for f in d.fields}
    out, chosen = {}, set()
    for key, v in node.items():
        at = where + "." + key
        need(key in names, at, "no such field in " + d.full_name)
        f = names[key]
        if f.containing_oneof is not None and len(f.containing_oneof.fields) > 1:
            need(f.containing_oneof.name not in chosen, at, "two members of one oneof")
            chosen.add(f.containing_oneof.name)
        if repeated(f):
            need(isinstance(v, list) and v, at, "not a list, or an empty one that could be left out")
            out[key] = [check_value(f, x, "%s[%d]" % (at, i)) for i, x in enumerate(v)]
        else:
            out[key] = check_value(f, v, at)
    check_sense(d, node, where)
    return out


def check_value(f, v, where):
    return check_message(f.message_type, v, where) if f.type == F.TYPE_MESSAGE else check_scalar(f, v, where)


def check_sense(d, node, where):
    """What the comments of the .proto files demand beyond the types."""
    if d.name == "Span":
        for key in ("traceId", "spanId", "kind", "startTimeUnixNano", "endTimeUnixNano"):
            need(key in node, where, "a span without " + key)
        need(node["kind"] != 0 and node.get("flags", 0) & 0x100, where, "kind or flags")
    elif d.name == "LogRecord":
        need("observedTimeUnixNano" in node, where, "no observed time")
        need("traceId" in node or "spanId" not in node, where, "spanId without traceId")
    elif d.name == "Metric":
        need(any(k in node for k in ("gauge", "sum", "histogram", "exponentialHistogram")), where, "no data")
    elif d.name in ("Sum", "Histogram"):
        need(node.get("aggregationTemporality") in (1, 2) and "dataPoints" in node, where, "temporality or points")
    elif d.name == "NumberDataPoint":
        need("asInt" in node or "asDouble" in node, where, "no value")
    elif d.name == "HistogramDataPoint":
        counts, bounds = node.get("bucketCounts", []), node.get("explicitBounds", [])
        need(not counts or len(counts) == len(bounds) + 1, where, "buckets and bounds")
        need(not counts or sum(int(c) for c in counts) == int(node["count"]), where, "count is not the sum")
        need(bounds == sorted(set(bounds)), where, "bounds not ascending")
    elif d.name == "KeyValue":
        need("key" in node and "value" in node, where, "key or value missing")
    elif d.name in ("Resource", "InstrumentationScope", "Event", "Link"):
        keys = [a["key"] for a in node.get("attributes", [])]
        need(len(keys) == len(set(keys)), where, "a key twice")


def comparable(v):
    """One form for what may be spelled in several ways, without what is at its default."""
    if isinstance(v, dict):
        keep = {k: comparable(x) for k, x in v.items()}
        always = ("value", "body", "asInt", "asDouble", "sum", "min", "max")
        return {k: x for k, x in keep.items()
                if k in always or k.endswith("Value") or x not in ("0", ("double", "0.0"), False, "", [])}
    if isinstance(v, list):
        return [comparable(x) for x in v]
    if isinstance(v, float) or v in ("NaN", "Infinity", "-Infinity"):
        return ("double", repr(float(v)))
    if isinstance(v, int) and not isinstance(v, bool):
        return ("double", repr(float(v)))
    return v


def no_pairs_twice(pairs):
    need(len(pairs) == len({k for k, _ in pairs}), "object", "a name twice")
    return dict(pairs)


def no_bare_word(word):
    raise Bad("bare word " + word)


def check_document(pool, text):
    node = json.loads(text, object_pairs_hook=no_pairs_twice, parse_constant=no_bare_word)
    need(isinstance(node, dict) and len(node) <= 1, "document", "not an object with one member")
    if not node:
        return
    name = next(iter(node))
    need(name in SIGNALS, "document", "unknown signal " + name)
    d = pool.FindMessageTypeByName("opentelemetry.proto." + SIGNALS[name])
    as_protobuf = check_message(d, node, d.name)
    message = json_format.ParseDict(as_protobuf, message_class(d)())
    again = message_class(d).FromString(message.SerializeToString())
    back = json_format.MessageToDict(again, use_integers_for_enums=True)
    need(comparable(back) == comparable(as_protobuf), "document", "changed by a round trip:\n  %s\n  %s" %
         (comparable(as_protobuf), comparable(back)))


def check_table(pool, header):
    """The X(message, name, number, wire) rows of telemetry.h against the descriptors."""
    block = re.search(r"#define TEL__OTLP_FIELDS\(X\)(.*?)\n\n", open(header).read(), re.S)
    need(block, header, "no field table")
    rows = re.findall(r"X\((\w+), (\w+), (\d+), (\d)\)", block.group(1))
    need(len(rows) == block.group(1).count("X(") and len(rows) > 80, header, "rows")
    messages = {}
    for f in FILES:
        todo = list(pool.FindFileByName("opentelemetry/proto/%s.proto" % f).message_types_by_name.values())
        while todo:
            d = todo.pop()
            messages[d.name] = d
            todo.extend(d.nested_types)
    for message, name, number, wire in rows:
        need(message in messages, header, "no message " + message)
        f = {f.json_name: f for f in messages[message].fields}.get(name)
        need(f is not None and f.number == int(number), header, "%s.%s is not field %s" % (message, name, number))
        fixed64 = (F.TYPE_FIXED64, F.TYPE_SFIXED64, F.TYPE_DOUBLE)
        fixed32 = (F.TYPE_FIXED32, F.TYPE_SFIXED32, F.TYPE_FLOAT)
        sized = (F.TYPE_STRING, F.TYPE_BYTES, F.TYPE_MESSAGE)
        want = 2 if repeated(f) or f.type in sized else 1 if f.type in fixed64 else 5 if f.type in fixed32 else 0
        need(want == int(wire), header, "%s.%s has wire type %d, not %s" % (message, name, want, wire))
    return len(rows)


def documents(paths):
    for path in paths:
        text = open(path, encoding="utf-8").read()
        for i, line in enumerate(text.splitlines() if path.endswith(".jsonl") else [text]):
            yield "%s:%d" % (path, i + 1), line


def main():
    args = sys.argv[1:]
    proto_dir = os.path.join(os.path.dirname(ROOT), "shared", "spec", "fixtures", "proto")
    header = os.path.join(ROOT, "telemetry.h")
    while args and args[0] in ("--proto", "--header"):
        if args[0] == "--proto":
            proto_dir = args[1]
        else:
            header = os.path.abspath(args[1])
        args = args[2:]
    pool = load_pool(proto_dir)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        if not args:
            program = os.path.join(tmp, "otlp")
            subprocess.run([os.environ.get("CC", "cc"), "-I", os.path.dirname(header), "-o", program,
                            os.path.join(ROOT, "tests", "rooms", "otlp.c"), "-pthread"], check=True)
            subprocess.run([program, "--write", tmp], check=True, stdout=subprocess.DEVNULL)
            args = sorted(glob.glob(os.path.join(tmp, "*.json")))
            try:
                passed += check_table(pool, header)
            except Bad as bad:
                failed += 1
                print("FAIL %s" % bad)
        for name, text in documents(args):
            try:
                check_document(pool, text)
                passed += 1
            except (Bad, ValueError, json_format.ParseError) as bad:
                failed += 1
                print("FAIL %s: %s" % (os.path.basename(name), bad))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
