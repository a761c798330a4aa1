// JSON that PostgreSQL has made, handed on as the text it is: nobody parses it only to write it again.

/** The text of one JSON value, known to be well formed. Answered as it stands. */
export class JsonText {
  constructor(readonly text: string) {}
}

/** The JSON of an answer, whichever way it was made. */
export function toJson(answer: unknown): string {
  return answer instanceof JsonText ? answer.text : JSON.stringify(answer);
}
