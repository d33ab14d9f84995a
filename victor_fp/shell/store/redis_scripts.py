"""Two scripts that Redis runs atomically: compare-and-swap of a value, and the machine of the pool.

`LEND` is `victor_fp.core.resilience.pool.lend` in Lua; a test compares the two. Its time hardly depends on the number of
members, of whom there may be thousands: the pool is a sorted set, in which all scores are 0. Its first element is a `!` with
everything but the members, and their sums; the others are a name, a zero byte, and as little-endian doubles the other
fields of `Share`. All members are read only if one has expired, if the pool was unreachable, or if permits are divided
among some of them.
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
-- A fair division among this process and others; `wants` has the number of other members by what they want.
local function fill(wants, mine, capacity)
  local sum, all = mine, 1
  for want, times in pairs(wants) do sum, all = sum + want * times, all + times end
  if sum <= capacity then return huge end
  local small, level = 0, capacity / all
  while true do
    local less, used = 0, 0
    if mine <= level then less, used = 1, mine end
    for want, times in pairs(wants) do
      if want <= level then less, used = less + times, used + want * times end
    end
    if less == small or less == all then return level end
    small, level = less, (capacity - used) / (all - less)
  end
end

-- The stored pool; a value that is missing or of another version counts as none.
local key, pool = KEYS[1], nil
if redis.call('TYPE', key)['ok'] == 'zset' then
  local good, found = pcall(cmsgpack.unpack, redis.call('ZRANGE', key, 0, 0)[1]:sub(2))
  if good and type(found) == 'table' and found[1] == form and type(found[2]) == 'table' and #found[2] == 7 then
    pool = found[2]
  end
end

local function lend(pool)
local is_lost = not pool
if is_lost then
  redis.call('DEL', key)
  pool = {-huge, -huge, -huge, {}, -huge, '', {0, {}, {}, {}, huge}}
end
local settled_at, requests_until, tokens_until = plausible(pool[1]), plausible(pool[2]), plausible(pool[3])
local others = is_lost and 0 or redis.call('ZCARD', key) - 1
local period = period_of(max(others, known))
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
local cooled, why = plausible(pool[5]), tostring(pool[6])
if cooled_until > cooled then cooled, why = cooled_until, cause end

local lent_permits, permit_wants, request_wants, token_wants, expires_at = unpack(pool[7], 1, 5)
local function count(wants, want, by)
  if want > 0 then
    local times = (wants[want] or 0) + by
    wants[want] = times > 0 and times or nil
  end
end
local function tally(by, permits, wants, requests, tokens)
  lent_permits = lent_permits + by * permits
  count(permit_wants, wants, by)
  count(request_wants, requests, by)
  count(token_wants, tokens, by)
end
local function each_member(last, apply)
  for _, one in ipairs(redis.call('ZRANGE', key, 1, last)) do apply(one, struct.unpack('<ddddd', one, #one - 39)) end
end
local latest = -huge
if is_alone and not is_lost then
  each_member(-1, function(_, _, _, _, _, ends)
    if now < ends and ends < now + FAR then latest = max(latest, ends) end
  end)
end
local first = name .. string.char(0)
local mine = redis.call('ZRANGEBYLEX', key, '[' .. first, '(' .. name .. string.char(1), 'LIMIT', 0, 1)[1]
if mine then
  tally(-1, struct.unpack('<dddd', mine, #mine - 39))
  redis.call('ZREM', key, mine)
  others = others - 1
end
if now >= expires_at or expires_at >= now + FAR then
  others, lent_permits, permit_wants, request_wants, token_wants, expires_at = 0, 0, {}, {}, {}, huge
  each_member(-1, function(one, permits, wants, requests, tokens, ends)
    if now < ends and ends < now + FAR then
      tally(1, permits, wants, requests, tokens)
      others, expires_at = others + 1, min(expires_at, ends)
    else
      redis.call('ZREM', key, one)
    end
  end)
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
  local contenders = 1
  for _, times in pairs(request_wants) do contenders = contenders + times end
  spacing = spacing_of(rpm)
  local horizon = horizon_of(period, spacing, contenders)
  if requests_until > now - BURST then start = requests_until end
  local free = start <= now + horizon and floor((now + horizon - start) / spacing) + 1 or 0
  local shared = contenders == 1 and horizon or period
  local share = max(1, ceil(min(requests, fill(request_wants, requests, shared / spacing))))
  count = max(0, min(free, min(requests, share) - ready))
  if count > 0 then requests_until = start + count * spacing end
end

local amount, second = 0, max(floor(now), #seconds > 0 and seconds[#seconds][1] or 0)
if tpm then
  local per_token, horizon = (60 + TOKEN_MARGIN) / max(1, tpm), HORIZON * period
  local room, from = tpm - lent_tokens, max(tokens_until, now - BURST) - credit * per_token
  local paced = from <= now + horizon and floor((now + horizon - from) / per_token) or 0
  local share = ceil(min(tokens, fill(token_wants, tokens, horizon / per_token) + credit))
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
  local level, fair, until_turn = fill(permit_wants, wanted, limit), wanted, huge
  if wanted > level then
    local rivals, left = 1, limit
    for want, times in pairs(permit_wants) do
      if want <= level then left = left - want * times else rivals = rivals + times end
    end
    local each, number = floor(left / rivals), floor(now / TURN)
    local odd, position = left - each * rivals, 0
    if odd > 0 and rivals > 1 then
      local before = redis.call('ZLEXCOUNT', key, '-', '(' .. first) - 1
      if rivals - 1 == others then
        position = before
      elseif before > 0 then
        each_member(before, function(_, _, wants) if wants > level then position = position + 1 end end)
      end
    end
    fair = min(wanted, each + ((position + number * odd) % rivals < odd and 1 or 0))
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
  redis.call('ZADD', key, 0, first .. struct.pack('<ddddd', counted, wanted, requests, tokens, now + lease))
  tally(1, counted, wanted, requests, tokens)
  others, expires_at = others + 1, min(expires_at, now + lease)
end
local totals = {lent_permits, permit_wants, request_wants, token_wants, expires_at}
if not is_lost then redis.call('ZREMRANGEBYRANK', key, 0, 0) end
pool = {settled_at, requests_until, tokens_until, seconds, cooled, why, totals}
redis.call('ZADD', key, 0, '!' .. cmsgpack.pack({form, pool}))
redis.call('PEXPIRE', key, ARGV[3])
return cmsgpack.pack({start, count, spacing, amount, second, now + HORIZON * period, granted, now + lease - MARGIN,
  max(1, others), renew_after, cooled, why, now})
end

local good, lent = pcall(lend, pool)
if good then return lent end
return lend(nil)  -- the stored value is not a valid pool
"""
)
"""KEYS: the key of the pool. ARGV: the packed Borrow, FORMAT, the time to live in milliseconds. Returns a packed Lent."""
