-- KEYS workers   ARGV worker_key_prefix most : {name, {member, value, ...}} of each that is there, by name
local names=redis.call('ZRANGE',KEYS[1],0,tonumber(ARGV[2])-1); table.sort(names); local all={}
for _,name in ipairs(names) do
  local h=redis.call('HGETALL',ARGV[1]..name)
  if #h>0 then all[#all+1]={name,h} end
end
return all
