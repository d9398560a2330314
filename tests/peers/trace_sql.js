// trace_sql.js FOLDER FILE: reads FILE with Perfetto's trace processor, whose engine_bundle.js and WebAssembly are in FOLDER, and prints
// the rows of each query of stdin, one a line, as JSON. No package: what goes in and out is TraceProcessorRpcStream (trace_processor.proto).
const fs = require('fs'), path = require('path'), vm = require('vm');
const [folder, file] = process.argv.slice(2);

// The engine is made for a web worker, which gets a port, reads its code over HTTP, and answers within the call.
let answer;
const port = { postMessage: (data) => { answer = Buffer.concat([answer, data]); } };
class XMLHttpRequest {
    open(method, url) { this.url = url; }
    send() { this.response = fs.readFileSync(path.join(folder, path.basename(this.url))); }
}
const worker = vm.createContext({ XMLHttpRequest, WorkerGlobalScope: true, TextDecoder, performance, console: { ...console, log() {}, warn() {} } });
worker.self = { location: { href: '' } };
vm.runInContext(fs.readFileSync(path.join(folder, 'engine_bundle.js'), 'utf8'), worker);
const Bytes = vm.runInContext('Uint8Array', worker);

const varint = (n) => { const out = []; for (; n > 127; n >>>= 7) { out.push(n & 127 | 128); } return Buffer.from([...out, n]); };
const message = (number, body) => Buffer.concat([varint(number << 3 | 2), varint(body.length), body]);
function reader(bytes) {
    let at = 0;
    const integer = () => { let n = 0n, shift = 0n, c; do { c = bytes[at++]; n |= BigInt(c & 127) << shift; shift += 7n; } while (c > 127); return BigInt.asIntN(64, n); };
    const take = (size) => bytes.subarray(at, at += size);
    return { more: () => at < bytes.length, integer, take };
}
function fields(bytes) {
    const found = {}, r = reader(bytes);
    while (r.more()) {
        const key = Number(r.integer());
        (found[key >> 3] ||= []).push((key & 7) === 0 ? r.integer() : r.take((key & 7) === 1 ? 8 : Number(r.integer())));
    }
    return found;
}
const part = (bytes, number) => fields(bytes)[number] || [];
let sequence = 0;
function ask(method, number, body) {
    answer = Buffer.alloc(0);
    const request = [varint(1 << 3), varint(++sequence), varint(2 << 3), varint(method), number ? message(number, body) : Buffer.alloc(0)];
    port.onmessage({ data: new Bytes(message(1, Buffer.concat(request))) });
    return part(answer, 1);
}
function rows(replies) {
    const out = [], cells = [];
    let columns = [];
    for (const result of replies.flatMap((r) => part(r, 203))) {
        for (const e of part(result, 2)) { throw new Error(e.toString()); }
        columns = [...columns, ...part(result, 1)];
        for (const batch of part(result, 3)) {
            const lists = [1, 2, 3].map((n) => reader(Buffer.concat(part(batch, n))));
            const texts = Buffer.concat(part(batch, 5)).toString().split('\0');
            while (lists[0].more()) {
                const kind = Number(lists[0].integer());
                cells.push(kind === 2 ? Number(lists[1].integer()) : kind === 3 ? lists[2].take(8).readDoubleLE() : kind === 4 ? texts.shift() : null);
            }
        }
    }
    while (cells.length) { out.push(cells.splice(0, columns.length)); }
    return out;
}

worker.self.onmessage({ data: port });
setImmediate(() => {            // when its promises are settled
    ask(1, 101, fs.readFileSync(file));
    ask(2);
    for (const query of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
        console.log(JSON.stringify(rows(ask(3, 103, message(1, Buffer.from(query))))));
    }
});
