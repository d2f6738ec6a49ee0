// An archive of files, as EPUB wants it: Node.js can compress, and has nothing that writes the table of contents.
import { crc32, deflateRawSync } from "node:zlib";

const STORED = 0;
const DEFLATED = 8;
const UTF8 = 0x0800;
// 1980-01-01, the oldest date that the format knows, so that the same book makes the same archive.
const DATE = 0x0021;

/** `files` are pairs of a name and a text; the first one is stored as it is, all others are compressed. */
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  files.forEach(([name, text], index) => {
    const raw = Buffer.from(text, "utf8");
    const path = Buffer.from(name, "utf8");
    const method = index === 0 ? STORED : DEFLATED;
    const data = method === STORED ? raw : deflateRawSync(raw, { level: 9 });
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(UTF8, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(raw), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(raw.length, 18);
    common.writeUInt16LE(path.length, 22);
    parts.push(Buffer.from("PK\x03\x04", "latin1"), common, path, data);

    const entry = Buffer.alloc(46);
    entry.write("PK\x01\x02", "latin1");
    entry.writeUInt16LE(20, 4);
    common.copy(entry, 6);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, path);
    offset += 4 + common.length + path.length + data.length;
  });
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
