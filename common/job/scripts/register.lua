-- KEYS worker workers   ARGV name ttl_s, then the HASH's members and values: the worker is there until ttl_s from now
-- A full Redis is told, and the worker stays listed all the same: behind a write that frees, it takes what is small.
local t=redis.call('TIME'); local now=t[1]*1000+math.floor(t[2]/1000)
local fields={'hb',string.format('%.0f',now)}
for i=3,#ARGV do fields[#fields+1]=ARGV[i] end
local told=redis.pcall('HSET',KEYS[1],unpack(fields))
redis.call('ZREMRANGEBYSCORE',KEYS[2],'-inf',string.format('%.0f',now-tonumber(ARGV[2])*1000))
if type(told)=='table' then redis.call('HSET',KEYS[1],unpack(fields)) end
redis.call('EXPIRE',KEYS[1],ARGV[2]); redis.call('ZADD',KEYS[2],string.format('%.0f',now),ARGV[1])
return type(told)=='table' and told or 'OK'
