-- KEYS fence   ARGV floor : the next fence by start's rule, for a run without a queue
local t=redis.call('TIME'); local now=t[1]*1000+math.floor(t[2]/1000)
local f=math.max((tonumber(redis.call('GET',KEYS[1])) or 0)+1,now,tonumber(ARGV[1])+1); local fs=string.format('%.0f',f)
redis.call('SET',KEYS[1],fs)
return fs
