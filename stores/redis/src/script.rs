//! What the server does in one step. Each script is about one key, so it runs in a cluster too.

use redis::Cmd;

/// A script and the hash that servers know it by.
#[derive(Debug)]
pub(crate) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        let hash = redis::Script::new(text).get_hash().to_owned();
        Self { text, hash }
    }

    pub(crate) fn by_hash(&self, key: &[u8], arguments: &[&[u8]]) -> Cmd {
        command("EVALSHA", &self.hash, key, arguments)
    }

    pub(crate) fn by_text(&self, key: &[u8], arguments: &[&[u8]]) -> Cmd {
        command("EVAL", self.text, key, arguments)
    }
}

fn command(name: &str, script: &str, key: &[u8], arguments: &[&[u8]]) -> Cmd {
    let size = arguments
        .iter()
        .map(|argument| argument.len())
        .sum::<usize>();
    let mut command = Cmd::with_capacity(arguments.len() + 4, size + key.len() + script.len() + 8);
    command.arg(name).arg(script).arg(1).arg(key);
    for argument in arguments {
        command.arg(argument);
    }
    command
}

/// All scripts of a store.
#[derive(Debug)]
pub(crate) struct Scripts {
    /// `REPLACE`
    pub(crate) replace: Script,
    /// `TOUCH`
    pub(crate) touch: Script,
    /// `HINT`
    pub(crate) hint: Script,
    /// `HINTS`
    pub(crate) hints: Script,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            replace: Script::new(REPLACE),
            touch: Script::new(TOUCH),
            hint: Script::new(HINT),
            hints: Script::new(HINTS),
        }
    }
}

/// Key: a record. Arguments: the expected version (8 bytes), the new record, when its key expires.
/// Answers 1, or 0 when another version is there, or nothing.
const REPLACE: &str = "\
if redis.call('GETRANGE', KEYS[1], 8, 15) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
return 1";

/// Key: a record. Arguments: the expected version, the new `last_seen` and `expires`, the earliest
/// `expires` that is not too old (8 bytes each), when the key expires by the new `expires`.
/// Answers 1, or 0 when another version is there, or it has expired, or there is nothing.
///
/// Numbers of 64 bits are compared by halves: a number of Lua holds 53 bits.
const TOUCH: &str = "\
local head = redis.call('GETRANGE', KEYS[1], 0, 39)
if #head < 40 or string.sub(head, 9, 16) ~= ARGV[1] then return 0 end
local function less(a, b)
  local a_low, a_high = struct.unpack('<I4I4', a)
  local b_low, b_high = struct.unpack('<I4I4', b)
  return a_high < b_high or (a_high == b_high and a_low < b_low)
end
local seen, expires = string.sub(head, 25, 32), string.sub(head, 33, 40)
if less(expires, ARGV[4]) then return 0 end
if less(seen, ARGV[2]) then redis.call('SETRANGE', KEYS[1], 24, ARGV[2]) end
if less(expires, ARGV[3]) then
  redis.call('SETRANGE', KEYS[1], 32, ARGV[3])
  redis.call('PEXPIREAT', KEYS[1], ARGV[5])
end
return 1";

/// Key: an index. Arguments: an id (16 bytes), until when the index is needed for it, the age in
/// milliseconds from which a hint without a record is wrong.
/// Adds a hint, or makes it a new one. Where there are more than 64, it answers some of that age to
/// look at, so that wrong ones don't pile up in an index that nobody reads.
const HINT: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = redis.call('PTTL', KEYS[1])
local first, last = '[' .. ARGV[1], '[' .. ARGV[1] .. string.rep('\\255', 9)
local old = redis.call('ZRANGEBYLEX', KEYS[1], first, last, 'LIMIT', 0, 16)
if #old > 0 then redis.call('ZREM', KEYS[1], unpack(old)) end
redis.call('ZADD', KEYS[1], 0, ARGV[1] .. struct.pack('>I8', now))
if left < 0 or now + left < tonumber(ARGV[2]) then
  redis.call('PEXPIREAT', KEYS[1], ARGV[2])
else
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', now + left))
end
if redis.call('ZCARD', KEYS[1]) <= 64 then return {} end
local suspects = {}
for _, hint in ipairs(redis.call('ZRANDMEMBER', KEYS[1], 8)) do
  if #hint == 24 and now - struct.unpack('>I8', hint, 17) > tonumber(ARGV[3]) then
    suspects[#suspects + 1] = hint
  end
end
return suspects";

/// Key: an index. Arguments: after which hint to begin, how many.
/// Answers the server's time in milliseconds, and the hints.
const HINTS: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {now, redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])}";
