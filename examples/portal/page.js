// What the views share: finding elements, saying things, showing one view at a time.

export const $ = (id) => document.getElementById(id);

/** Shows the view with this id and no other, and moves the reader to its heading. */
export function showView(id) {
  for (const view of document.querySelectorAll('main > section')) view.hidden = view.id !== id;
  const heading = $(`${id}-title`);
  if (!heading) return;
  document.title = `${heading.textContent} – Portal`;
  heading.focus();
}

/** Says something in passing; screen readers read it, too. */
export function announce(text) {
  const news = $('news');
  news.textContent = text;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => (news.textContent = ''), 6_000);
}

/** Puts `message` into a paragraph and shows it; hides the paragraph without a message. */
export function setMessage(paragraph, message = '') {
  paragraph.textContent = message;
  paragraph.hidden = !message;
}

/** Marks an input as wrong, with the reason below it; without a message, as right. */
export function setFault(input, message = '') {
  const id = `${input.id}-error`;
  const reason =
    $(id) ?? input.insertAdjacentElement('afterend', Object.assign(document.createElement('p'), { id }));
  reason.className = 'error';
  setMessage(reason, message);
  input.setAttribute('aria-describedby', id);
  input.setAttribute('aria-invalid', String(Boolean(message)));
}

/** What went wrong, for people. */
export function explain(error) {
  if (error.status !== 429 || !error.retryAfter) return error.message;
  return `Too many requests. Try again in ${waitingTime(error.retryAfter)}.`;
}

function waitingTime(seconds) {
  const [count, unit] = seconds < 90 ? [seconds, 'second'] : [Math.ceil(seconds / 60), 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/**
 * Wraps an event handler: what fails is shown at the top of the page. That the session is over is no failure; the
 * sign-in view says so.
 */
export function guarded(handler) {
  return async (event) => {
    event?.preventDefault?.();
    setMessage($('problem'));
    try {
      await handler(event);
    } catch (error) {
      if (error.name === 'AbortError' || error.status === 401) return;
      if (error.status === undefined) console.error(error);
      setMessage($('problem'), explain(error));
    }
  };
}

/** Runs a form's work with its button disabled, so that nothing is sent twice. */
export async function busy(form, work) {
  const button = form.querySelector('[type=submit]');
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
  }
}

/** A copy of the first element in the template with this id. */
export function fromTemplate(id) {
  return $(id).content.firstElementChild.cloneNode(true);
}
