-- KEYS rl:{client}:policy   ARGV quota window_ms spent asked : {granted of those asked, left, ms to the reset}
-- A window of fixed length that begins with the client's first request, as the service before had it: one number and its
-- TTL, exact counts, and a reset that is known. `spent` was granted already, so it counts whatever
-- is left; below 0 it is given back.
local quota,window=tonumber(ARGV[1]),tonumber(ARGV[2])
local used,ttl=tonumber(redis.call('GET',KEYS[1])) or 0,redis.call('PTTL',KEYS[1])
if ttl<0 or ttl>window then used,ttl=0,-1 end -- none, or not one of ours
local spent=tonumber(ARGV[3])
local granted=math.max(0,math.min(tonumber(ARGV[4]),quota-used-spent))
local more=math.max(-used,spent+granted)
if ttl<0 then
  ttl=window
  if more>0 then redis.call('SET',KEYS[1],string.format('%.0f',more),'PX',window) end
elseif more~=0 then redis.call('INCRBY',KEYS[1],string.format('%.0f',more)) end
return {granted,math.max(0,quota-used-more),ttl}
