// Plays a recording that is still being made: the call as it is now, with all that was said
// before within reach of the player's bar.
//
// Given the address alone, a browser waits until it has some ten seconds before it plays.

const TYPE = "audio/mpeg";
const BEHIND_S = 2; // sound comes about once a second, and is looked for twice a second
const MOST_OCTETS = 8 << 20; // what browsers hold of a sound, with room to spare: 45 minutes

export function canFollow() {
  return "MediaSource" in window && MediaSource.isTypeSupported(TYPE);
}

export async function follow(audio, url, signal) {
  // At once, so that the player can be told to play while the button is still pressed.
  const source = new MediaSource();
  const opened = once(source, "sourceopen");
  audio.src = URL.createObjectURL(source);
  const answer = await fetch(url, { signal, redirect: "manual" });
  if (answer.type === "opaqueredirect") {
    // It is over, and its file is what the player can fetch by itself.
    audio.src = url;
    await audio.play();
    return;
  }
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const reader = answer.body.getReader();
  const past = await read(reader, Number(answer.headers.get("Octets-So-Far")) || 1);
  await opened;
  URL.revokeObjectURL(audio.src);
  const buffer = source.addSourceBuffer(TYPE);
  await append(buffer, past);
  // Said once, it grows with all that follows; else the player's bar would have no length.
  source.duration = end(buffer);
  audio.currentTime = Math.max(0, end(buffer) - BEHIND_S);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (source.readyState !== "open") return;
    await append(buffer, value);
  }
  source.endOfStream();
}

async function read(reader, octets) {
  const pieces = [];
  for (let have = 0; have < octets; ) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    have += value.length;
  }
  const whole = await new Blob(pieces).arrayBuffer();
  return whole.slice(-MOST_OCTETS);
}

async function append(buffer, data) {
  try {
    buffer.appendBuffer(data);
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    // Somebody paused for an hour: what is longest past goes.
    buffer.remove(0, end(buffer) / 2);
    await once(buffer, "updateend");
    buffer.appendBuffer(data);
  }
  await once(buffer, "updateend");
}

function end(buffer) {
  return buffer.buffered.length ? buffer.buffered.end(buffer.buffered.length - 1) : 0;
}

function once(target, name) {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
}
