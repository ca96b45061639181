// What went wrong, in plain words, and the way out: by what the gate says.

const ask = 'Ask for a new link.';

/** Why somebody is not let in. Source: docs/reference/page.md. */
const refusals = {
  credential: ['This was not accepted',
    'The token or password is wrong. Look whether it was copied whole, or ask for a new link.'],
  expired: ['The token’s time is over', `A token opens the lane within a minute after it was made. ${ask}`],
  replayed: ['The token was used already',
    `Each token opens one session. ${ask} If it was not you who used it, tell whoever gave it to you.`],
  wrong_lane: ['The token is for another lane',
    'Open the link that came with it, or ask for a token for this lane.'],
  wrong_attendant: ['The token was made for another name',
    'Write the name that it was made for, or leave the name empty.'],
  too_early: ['The token is not valid yet', `The clocks of the lane and of whoever made it differ. ${ask}`],
  too_long: ['The token is valid for longer than this lane allows', `It takes tokens of one minute. ${ask}`],
  before_boot: ['The token was made before the lane was started', ask],
  not_kept: ['The lane cannot let anybody in',
    'It could not note that the token is used. Tell whoever looks after the lanes.'],
  full: ['As many watch as may watch at a time', 'Wait until somebody leaves, and try again.'],
  full_attendant: ['You watch as often as anybody may', 'Close one of your other windows, and try again.'],
  no_room: ['The lane cannot show its screen now', 'Try again in a moment.'],
  unreachable: ['The lane does not answer',
    'Look whether it is switched on and the network reaches it, and try again.'],
  page: ['The page could not be loaded whole', 'Load it again. If that does not help, noVNC on the lane is broken.'],
};

/** Why a session ended. */
const endings = {
  left: ['You have left the lane', 'Nobody watches from here any more.'],
  closed: ['You have left the lane', 'Nobody watches from here any more.'],
  ended: ['The session was ended by the lane',
    'What it was opened for is done, or somebody ended it. Sign in again if you still need it.'],
  idle: ['The session was ended, as nothing came from this page for long', 'Sign in again to go on.'],
  maximum: ['The session’s longest time is over', 'Sign in again to go on.'],
  stalled: ['The connection was too slow', 'The picture did not get through. Sign in again where the network is better.'],
  attendant_ended: ['The lane stopped showing its screen', 'Sign in again. If that does not help, look at the lane.'],
  lost: ['The connection to the lane was lost', 'Look whether the network is there, then sign in again.'],
};

export function refusal(reason) { return refusals[reason] ?? refusals.credential; }

export function ending(reason) { return endings[reason] ?? endings.ended; }

/** `14:03`, or with the date where it is not today. Empty for what is no time. */
export function clock(text, now = new Date()) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return '';
  const hours = time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return time.toDateString() === now.toDateString() ? hours : `${time.toLocaleDateString()} ${hours}`;
}

function named(one) { return one.name || 'somebody'; }

/** `Also here: bert (in control), carla and 3 more`. */
export function othersText(news) {
  const all = news.others ?? [];
  if (!all.length) return '';
  const names = all.slice(0, 3).map((one) => named(one) + (one.mode === 'control' ? ' (in control)' : ''));
  const more = (news.otherCount ?? all.length) - names.length;
  return `Also here: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `Payment declined, since 14:03 (and 2 more)`. */
export function raisedText(news) {
  const first = news.open?.[0];
  if (!first) return news.agent === false ? 'The lane’s agent does not answer' : '';
  const since = clock(first.since);
  const more = (news.openCount ?? 1) - 1;
  return `${first.title}${since ? `, since ${since}` : ''}${more > 0 ? ` (and ${more} more)` : ''}`;
}

/** What is hidden: a title and why; null where nothing is. */
export function hiddenText(news) {
  const why = (news.reasons ?? []).join('; ');
  if (news.screen === false) {
    return { all: true, title: 'The lane’s screen cannot be read', why: 'It is tried again every few seconds.' };
  }
  if (news.agent === false && news.hidden === 'all') {
    return { all: true, title: 'Hidden: the lane’s agent does not answer', why: 'The picture comes back with it.' };
  }
  if (news.hidden === 'all') return { all: true, title: 'The screen is hidden', why: why && `Because: ${why}` };
  if (news.hidden === 'part') return { all: false, title: `Parts are hidden: ${why || 'always'}`, why: '' };
  return null;
}
