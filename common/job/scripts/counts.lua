-- KEYS stream open delay paused   ARGV group job_key_prefix most : at most that many jobs of each set are looked at
-- {queued running scheduled retrying, open delayed, oldest queued (ms, 0: none), lag (-1: NULL), pending, stream length, paused}
local n={queued=0,running=0,scheduled=0,retrying=0}; local oldest=0
for _,key in ipairs({KEYS[2],KEYS[3]}) do
  local ids=redis.call('ZRANGE',key,0,tonumber(ARGV[3])-1,'WITHSCORES')
  for i=1,#ids,2 do
    local s=redis.call('HGET',ARGV[2]..ids[i],'state')
    if s and n[s] then n[s]=n[s]+1 end
    if s=='queued' and oldest==0 then oldest=ids[i+1] end
  end
end
local lag=0; local pending=0
if redis.call('EXISTS',KEYS[1])==1 then
  for _,g in ipairs(redis.call('XINFO','GROUPS',KEYS[1])) do
    local m={} for i=1,#g,2 do m[g[i]]=g[i+1] end
    if m['name']==ARGV[1] then lag=m['lag']; pending=m['pending'] end
  end
end
return {n.queued,n.running,n.scheduled,n.retrying,redis.call('ZCARD',KEYS[2]),redis.call('ZCARD',KEYS[3]),oldest,lag or -1,pending,
  redis.call('XLEN',KEYS[1]),redis.call('EXISTS',KEYS[4])}
