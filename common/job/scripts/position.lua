-- KEYS job stream open   ARGV group id : how many start before it, and itself; 0: it does not wait
if redis.call('HGET',KEYS[1],'state')~='queued' then return 0 end
local rank=redis.call('ZRANK',KEYS[3],ARGV[2]); if not rank then return 0 end
local running=redis.call('XPENDING',KEYS[2],ARGV[1])[1]
return math.max(rank+1-running,1)
