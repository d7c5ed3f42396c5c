-- in the TARGET redis: KEYS fence index   ARGV fence k1 k2 … : delete keys that a complete run no longer publishes
-- -> {keys deleted or -1, the sink's fence}; an older fence deletes nothing
local cur=tonumber(redis.call('GET',KEYS[1])) or 0
if tonumber(ARGV[1])<cur then return {-1,string.format('%.0f',cur)} end
local n=0
for i=2,#ARGV do n=n+redis.call('DEL',ARGV[i]); redis.call('SREM',KEYS[2],ARGV[i]) end
return {n,ARGV[1]}
