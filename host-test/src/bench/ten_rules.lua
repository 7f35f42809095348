-- The ten rules of ten_rules.rs by hand, as a careful person writes them for Fluent Bit's Lua filter: nothing is parsed that
-- a search finds, and what a namespace rules out is not searched.
local find, match, sub = string.find, string.match, string.sub
local windows, buckets, ceilings = {}, {}, {}

local function level(line)
  local found = match(line, '"level": "(%a+)"')
  if found then return found end
  found = match(line, '^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d,%d%d%d (%u+)')
  return found and found:lower() or nil
end

-- A token bucket: `rate` a second, and as many at once.
local function allowed(table_, key, rate, now)
  local bucket = table_[key]
  if not bucket then
    table_[key] = { left = rate - 1, at = now }
    return true
  end
  local left = math.min(rate, bucket.left + (now - bucket.at) * rate)
  bucket.at = now
  if left < 1 then
    bucket.left = left
    return false
  end
  bucket.left = left - 1
  return true
end

function filter(tag, timestamp, record)
  local line = record["log"]
  if type(line) ~= "string" then return 0, timestamp, record end
  local pod, namespace, container = match(tag, "^kube%.var%.log%.containers%.([^_]+)_([^_]+)_(.+)%-%x+%.log$")
  local now = os.time()
  local severity = level(line)
  if severity == "error" or severity == "fatal" then
    if allowed(ceilings, pod, 200, now) then return 0, timestamp, record end
    return -1, timestamp, record
  end
  if find(line, "kube-probe/", 1, true) and find(line, '" 200 ', 1, true) then return -1, timestamp, record end
  if severity == "debug" or severity == "trace" then return -1, timestamp, record end
  if find(line, "GET /assets/", 1, true) and find(line, '" 304 ', 1, true) then return -1, timestamp, record end
  if namespace == "batch" and record["stream"] == "stderr" then return -1, timestamp, record end
  if namespace == "shop" and sub(line, 1, 1) == "{" then
    local status = match(line, '"status": (%d+)')
    if status and tonumber(status) < 400 then
      -- The 56 random bits of the id against the threshold, as far as a double holds them.
      local random = match(line, '"trace_id": "%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x(%x%x%x%x%x%x%x%x%x%x%x%x%x)%x"')
      if random and tonumber(random, 16) >= 0xe666666666666 then return 0, timestamp, record end
      return -1, timestamp, record
    end
  end
  local key = pod .. "/" .. container
  if find(line, "heartbeat", 1, true) then
    local since = windows[key]
    if since and now - since < 60 then return -1, timestamp, record end
    windows[key] = now
    return 0, timestamp, record
  end
  if find(line, "cache miss", 1, true) then
    if allowed(buckets, key, 5, now) then return 0, timestamp, record end
    return -1, timestamp, record
  end
  if container == "gateway" and record["stream"] == "stderr" then
    if math.random() < 0.2 then return 0, timestamp, record end
    return -1, timestamp, record
  end
  -- The tenth, `took >= 0.9`, keeps what is kept anyway.
  return 0, timestamp, record
end
