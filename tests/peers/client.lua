-- client.lua -- a wrk script: sends exactly COUNT requests, each with a traceparent of its own, and counts.
--   wrk -t THREADS -c CONNECTIONS -d MAX -s client.lua URL -- COUNT THREADS NONCE FOLDER
-- wrk itself only knows a duration, and would leave requests unanswered at its end. So a request is sent only
-- on a ticket from delay(), and a thread that has all its answers leaves FOLDER/wrk.done.N and stops; when
-- all have, the caller interrupts wrk. Ids are NONCE, thread and sequence: main_job_check.py computes the same.

local paths = { "/", "/cart", "/checkout", "/", "/cart?page=2", "/", "/checkout", "/cart", "/", "/nowhere",
                "/", "/cart", "/checkout", "/", "/cart", "/", "/checkout", "/cart", "/", "/error" }
local threads = {}

function setup(thread)
    thread:set("id", #threads)
    table.insert(threads, thread)
end

function init(args)
    local count, all = tonumber(args[1]), tonumber(args[2])
    nonce, folder = args[3], args[4]
    mine = math.floor(count / all) + (id < count % all and 1 or 0)
    tickets, granted, sent, received, ok, missing, broken, other = 0, 0, 0, 0, 0, 0, 0, 0
    if mine == 0 then leave() end
end

function leave()
    local f = assert(io.open(folder .. "/wrk.done." .. id, "w"))
    f:close()
end

function delay()
    if granted == mine then return 3600000 end
    granted = granted + 1
    tickets = tickets + 1
    return 0
end

function request()
    local path = paths[sent % #paths + 1]
    local trace = string.format("%s%08x%016x", nonce, id, sent + 1)
    local span = string.format("%s%02x%06x", nonce, id, sent + 1)
    if tickets > 0 then     -- wrk asks for one request at its start that it does not send
        tickets = tickets - 1
        sent = sent + 1
    end
    return wrk.format("GET", path, { traceparent = "00-" .. trace .. "-" .. span .. "-01" })
end

function response(status)
    received = received + 1
    if status == 200 then ok = ok + 1
    elseif status == 404 then missing = missing + 1
    elseif status == 500 then broken = broken + 1
    else other = other + 1 end
    if received == mine then
        leave()
        wrk.thread:stop()
    end
end

function done(summary)
    local function sum(name)
        local n = 0
        for _, t in ipairs(threads) do n = n + t:get(name) end
        return n
    end
    local e = summary.errors
    io.write(string.format("client threads=%d sent=%d received=%d ok=%d missing=%d broken=%d other=%d errors=%d\n",
        #threads, sum("sent"), sum("received"), sum("ok"), sum("missing"), sum("broken"), sum("other"),
        e.connect + e.read + e.write + e.timeout))
end
