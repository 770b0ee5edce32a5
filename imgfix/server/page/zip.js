// Zip files (PKWARE's APPNOTE 6.3): entries are stored as they are, since pictures and clips do not get smaller.

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

const PART = 2 ** 31; // a zip of this size needs no Zip64, and any program opens it
const UTF8 = 0x0800;

async function checksum(blob) {
  let sum = 0xffffffff;
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return (sum ^ 0xffffffff) >>> 0;
    for (let index = 0; index < value.length; index++) sum = TABLE[(sum ^ value[index]) & 255] ^ (sum >>> 8);
  }
}

function header(signature, fields) {
  const bytes = new DataView(new ArrayBuffer(4 + fields.reduce((sum, [size]) => sum + size, 0)));
  bytes.setUint32(0, signature, true);
  let at = 4;
  for (const [size, value] of fields) {
    if (size === 2) bytes.setUint16(at, value, true);
    else bytes.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}

/** A zip of { path, blob } as a blob. */
export async function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { path, blob } of files) {
    const name = new TextEncoder().encode(path);
    const shared = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, 0x21], [4, await checksum(blob)], [4, blob.size], [4, blob.size], [2, name.length], [2, 0]];
    const local = header(0x04034b50, shared);
    directory.push(header(0x02014b50, [[2, 20], ...shared, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), name);
    parts.push(local, name, blob);
    offset += local.byteLength + name.length + blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = header(0x06054b50, [[2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** Files in groups, each small enough for one zip. Sizes are in `bytes`. */
export function groups(files, limit = PART) {
  const made = [[]];
  let size = 0;
  for (const file of files) {
    if (made.at(-1).length && (size + file.bytes > limit || made.at(-1).length === 65_000)) {
      made.push([]);
      size = 0;
    }
    made.at(-1).push(file);
    size += file.bytes;
  }
  return made.filter((group) => group.length);
}

/** A path for each name, no two alike: `a.png`, `a-2.png`. */
export function distinct(paths) {
  const used = new Set();
  return paths.map((path) => {
    let made = path;
    for (let n = 2; used.has(made.toLowerCase()); n++) made = path.replace(/(\.[^./]*)?$/, (ending) => `-${n}${ending}`);
    used.add(made.toLowerCase());
    return made;
  });
}
