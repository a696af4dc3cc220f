-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Copyright: The Archipel contributors
--
-- Requests for wrk: LOAD_CASE says which, LOAD_PEOPLE is a file with a line for each space: its host,
-- an account, and the account with an app password as HTTP's basic authentication wants it.
-- Prints one line of JSON at the end.

local PROPFIND = '<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>'
  .. '<d:getetag/><d:getlastmodified/><d:getcontentlength/><d:resourcetype/><oc:fileid/><oc:permissions/>'
  .. '</d:prop></d:propfind>'
local SMALL = string.rep("0123456789", 1024)
-- What a sync client does most of the time, and people some of it: of twenty requests.
local MIXED = { propfind = 10, get = 4, put = 3, status = 2, login = 1 }
-- Requests of a case for each space; more than there are connections.
local COPIES = 16

local threads = 0
local ready = {}
local turn = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local function format(case, host, user, credentials, copy)
  local headers = { Host = host, Authorization = "Basic " .. credentials, ["User-Agent"] = "mirall/3.16" }
  local files = "/remote.php/dav/files/" .. user
  if case == "status" then
    return wrk.format("GET", "/status.php", { Host = host })
  elseif case == "login" then
    return wrk.format("GET", "/index.php/login", { Host = host })
  elseif case == "propfind" then
    headers["Depth"], headers["Content-Type"] = "1", "application/xml"
    return wrk.format("PROPFIND", files .. "/", headers, PROPFIND)
  elseif case == "get" then
    return wrk.format("GET", files .. "/read.bin", headers)
  end
  -- Two requests that write the same file at a time would meet its lock.
  return wrk.format("PUT", files .. "/written-" .. number .. "-" .. copy .. ".bin", headers, SMALL)
end

function init(_)
  local wanted = os.getenv("LOAD_CASE")
  local shares = wanted == "mixed" and MIXED or { [wanted] = 1 }
  for line in io.lines(os.getenv("LOAD_PEOPLE")) do
    local host, user, credentials = line:match("^(%S+) (%S+) (%S+)$")
    for case, share in pairs(shares) do
      for copy = 1, share * COPIES do
        ready[#ready + 1] = format(case, host, user, credentials, copy)
      end
    end
  end
  -- The same order in every run, and not one space after the other.
  math.randomseed(20 + number)
  for last = #ready, 2, -1 do
    local other = math.random(last)
    ready[last], ready[other] = ready[other], ready[last]
  end
end

function request()
  turn = turn % #ready + 1
  return ready[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
