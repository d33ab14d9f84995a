"""Two scripts that Redis runs atomically: compare-and-swap of a value, and the machine of the pool.

`LEND` is `victor_fp.core.resilience.pool.lend` in Lua, with the same msgpack format; a test compares the two.
"""

from __future__ import annotations

from victor_fp.core.resilience import pool

SWAP = """
local time = redis.call('TIME')
local current = redis.call('GET', KEYS[1]) or ''
if current == ARGV[1] then
  if ARGV[1] ~= ARGV[2] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return {1, '', time[1], time[2]}
end
return {0, current, time[1], time[2]}
"""
"""KEYS: the key of the value. ARGV: the expected value, the new value, its time to live in milliseconds."""

_CONSTANTS = "\n".join(
    f"local {name} = {value!r}"
    for name, value in {
        "LATE": pool.LATE,
        "BURST": pool.BURST,
        "MARGIN": pool.MARGIN,
        "TOKEN_MARGIN": pool.TOKEN_MARGIN,
        "TURN": pool.TURN,
        "SHORTEST_PERIOD": pool.SHORTEST_PERIOD,
        "LONGEST_PERIOD": pool.LONGEST_PERIOD,
        "HORIZON": pool.HORIZON,
        "LONGEST_HORIZON": pool.LONGEST_HORIZON,
        "RETURN": pool.RETURN,
        "CONFIRM_AFTER": pool.CONFIRM_AFTER,
        "MEMBERS_PER_SECOND": pool.MEMBERS_PER_SECOND,
        "FAR": pool.FAR,
    }.items()
)

LEND = (
    _CONSTANTS
    + """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local form = tonumber(ARGV[2])
local floor, ceil, min, max, huge = math.floor, math.ceil, math.min, math.max, math.huge
local name, rpm, tpm, limit, requests, ready, tokens, least, permits, in_use, held, corrections,
  known, cooled_until, cause, is_alone = unpack(cmsgpack.unpack(ARGV[1]), 1, 16)

local function period_of(members)
  return min(LONGEST_PERIOD, max(SHORTEST_PERIOD, members / MEMBERS_PER_SECOND))
end
local function spacing_of(per_minute) return (60 + MARGIN) / max(1, per_minute) end
local function horizon_of(period, spacing, contenders)
  return max(HORIZON * period, min(LONGEST_HORIZON, contenders * spacing))
end
local function plausible(moment) if moment < now + FAR then return moment end return -huge end
local function fill(wants, capacity)
  local sum = 0
  for _, want in ipairs(wants) do sum = sum + want end
  if sum <= capacity then return huge end
  local small, level = 0, capacity / #wants
  while true do
    local less, used = 0, 0
    for _, want in ipairs(wants) do
      if want <= level then less, used = less + 1, used + want end
    end
    if less == small or less == #wants then return level end
    small, level = less, (capacity - used) / (#wants - less)
  end
end

-- The stored pool; a value that is missing or of another version counts as none.
local packed, pool = redis.call('GET', KEYS[1]), nil
if packed then
  local good, found = pcall(cmsgpack.unpack, packed)
  if good and type(found) == 'table' and found[1] == form and type(found[2]) == 'table' and #found[2] == 7 then
    pool = found[2]
  end
end

local function lend(pool)
local is_lost = not pool
if is_lost then pool = {-huge, -huge, -huge, {}, {}, -huge, ''} end
local settled_at, requests_until, tokens_until = plausible(pool[1]), plausible(pool[2]), plausible(pool[3])
local period = period_of(max(#pool[5], known))
local lease = 4 * period + MARGIN

-- Drop expired entries and apply the report of the process.
local oldest, seconds, sums = floor(now - 60 - HORIZON * period - (MARGIN - LATE)), {}, {}
for _, one in ipairs(pool[4]) do
  if oldest <= one[1] and one[1] <= now + FAR then sums[one[1]] = one[2] end
end
local credit = 0
for _, one in ipairs(corrections) do
  local before = sums[one[1]]
  if before or (one[2] > 0 and oldest <= one[1] and one[1] <= now) then
    before = before or 0
    sums[one[1]] = max(0, before + one[2])
    credit = credit + before - sums[one[1]]
  end
end
local lent_tokens = 0
for second, amount in pairs(sums) do
  if amount > 0 then
    seconds[#seconds + 1] = {second, amount}
    lent_tokens = lent_tokens + amount
  end
end
table.sort(seconds, function(one, other) return one[1] < other[1] end)
local cooled, why = plausible(pool[6]), tostring(pool[7])
if cooled_until > cooled then cooled, why = cooled_until, cause end
local others, request_wants, token_wants, permit_wants, lent_permits, latest = {}, {}, {}, {}, 0, -huge
for _, one in ipairs(pool[5]) do
  if now < one[6] and one[6] < now + FAR then latest = max(latest, one[6]) end
  if one[1] ~= name and now < one[6] and one[6] < now + FAR then
    others[#others + 1] = one
    lent_permits = lent_permits + one[2]
    if one[3] > 0 then permit_wants[#permit_wants + 1] = one[3] end
    if one[4] > 0 then request_wants[#request_wants + 1] = one[4] end
    if one[5] > 0 then token_wants[#token_wants + 1] = one[5] end
  end
end

-- Members may hold loans missing from this pool: it was lost, or was unreachable for all members.
local misses = is_alone and latest - lease < now - RETURN * period
if is_lost then misses = is_alone or known > 0 end
if misses then
  local ahead = horizon_of(period, rpm and spacing_of(rpm) or 0, known)
  if is_alone then ahead = ahead + RETURN * period end
  settled_at, requests_until = now + lease, max(requests_until, now + ahead)
end

local start, count, spacing = now, 0, 0
if rpm then
  request_wants[#request_wants + 1] = requests
  spacing = spacing_of(rpm)
  local horizon = horizon_of(period, spacing, #request_wants)
  if requests_until > now - BURST then start = requests_until end
  local free = start <= now + horizon and floor((now + horizon - start) / spacing) + 1 or 0
  local shared = #request_wants == 1 and horizon or period
  local share = max(1, ceil(min(requests, fill(request_wants, shared / spacing))))
  count = max(0, min(free, min(requests, share) - ready))
  if count > 0 then requests_until = start + count * spacing end
end

local amount, second = 0, max(floor(now), #seconds > 0 and seconds[#seconds][1] or 0)
if tpm then
  local per_token, horizon = (60 + TOKEN_MARGIN) / max(1, tpm), HORIZON * period
  local room, from = tpm - lent_tokens, max(tokens_until, now - BURST) - credit * per_token
  token_wants[#token_wants + 1] = tokens
  local paced = from <= now + horizon and floor((now + horizon - from) / per_token) or 0
  local share = ceil(min(tokens, fill(token_wants, horizon / per_token) + credit))
  local needed = min(least, tpm)
  if needed > 0 then share = ceil(share / needed) * needed end
  amount = min(tokens, paced, share, room)
  if amount < needed and needed <= room and from <= now then amount = needed end
  if amount <= 0 or amount < needed then
    amount, tokens_until = 0, from
  else
    if needed > 0 then amount = amount - amount % needed end
    local last = seconds[#seconds]
    if last and last[1] == second then
      last[2] = last[2] + amount
    else
      seconds[#seconds + 1] = {second, amount}
    end
    tokens_until = from + amount * per_token
  end
end

local granted, wanted, renew_after = 0, max(permits, in_use), period
if limit then
  permit_wants[#permit_wants + 1] = wanted
  local level, fair, until_turn = fill(permit_wants, limit), wanted, huge
  if wanted > level then
    local rivals, place, left = 1, 0, limit
    for _, want in ipairs(permit_wants) do if want <= level then left = left - want end end
    for _, one in ipairs(others) do
      if one[3] > level then
        rivals = rivals + 1
        if one[1] < name then place = place + 1 end
      end
    end
    local each, number = floor(left / rivals), floor(now / TURN)
    local odd = left - each * rivals
    fair = min(wanted, each + ((place + number * odd) % rivals < odd and 1 or 0))
    if odd > 0 then until_turn = (number + 1) * TURN - now end
  end
  if now < settled_at then fair = min(fair, held) end
  granted = min(fair, max(limit - lent_permits, 0))
  if in_use <= granted and granted < held then
    renew_after = CONFIRM_AFTER
  elseif granted < max(fair, in_use) then
    renew_after = period / 4
  else
    renew_after = min(period, until_turn)
  end
end

local counted = max(held, granted)
if counted > 0 or permits > 0 or requests > 0 or tokens > 0 then
  local place = #others + 1
  while place > 1 and name < others[place - 1][1] do place = place - 1 end
  table.insert(others, place, {name, counted, wanted, requests, tokens, now + lease})
end
pool = {settled_at, requests_until, tokens_until, seconds, others, cooled, why}
redis.call('SET', KEYS[1], cmsgpack.pack({form, pool}), 'PX', ARGV[3])
return cmsgpack.pack({start, count, spacing, amount, second, now + HORIZON * period, granted, now + lease - MARGIN,
  max(1, #others), renew_after, cooled, why, now})
end

local good, lent = pcall(lend, pool)
if good then return lent end
return lend(nil)  -- the stored value is not a valid pool
"""
)
"""KEYS: the key of the pool. ARGV: the packed Borrow, FORMAT, the time to live in milliseconds. Returns a packed Lent."""
