// trace_look.js VIEWER FILE: reads FILE with the importer of the Catapult trace viewer, whose page VIEWER is, and prints what it finds.
const fs = require('fs'), vm = require('vm');
const page = fs.readFileSync(process.argv[2], 'utf8');
const script = page.slice(page.lastIndexOf("'use strict';", page.indexOf('function exportTo(')));
const context = vm.createContext({ console, process, performance, require, setTimeout });
context.global = context;
context.oboe = { drop: undefined };         // of a library that reads large files in pieces
// What draws does not run here; what reads and models does. Parts are independent of each other's failures.
for (const part of script.slice(0, script.lastIndexOf('</script>')).split("'use strict';")) {
    try { vm.runInContext(part, context); } catch (e) { if (process.env.SHOW) { console.error(String(e).slice(0, 150), part.slice(0, 80)); } }
}
context.text = fs.readFileSync(process.argv[3], 'utf8');
console.log(vm.runInContext(`(function() {
    const model = new tr.Model();
    new tr.importer.Import(model).importTraces([text]);
    const out = { warnings: model.importWarnings.map(w => w.message), threads: [], counters: [] };
    for (const t of model.getAllThreads()) {
        out.threads.push({ name: t.name, slices: t.sliceGroup.slices.map(s => ({
            title: s.title, start: s.start, end: s.end, args: s.args, parent: s.parentSlice ? s.parentSlice.title : null })) });
    }
    for (const p of model.getAllProcesses()) {
        for (const c of Object.values(p.counters)) {
            out.counters.push({ name: c.name, series: c.series.map(s => [s.name, s.samples.map(x => x.value)]) });
        }
    }
    return JSON.stringify(out);
})()`, context));
