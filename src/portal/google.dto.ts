// What starting a sign-in with Google takes.
import { TextParam } from '../common/params.js';

export class GoogleQuery {
  @TextParam({ max: 2000, description: 'Where to go after sign-in; its origin must be configured.' })
  redirect?: string;

  @TextParam({ max: 64, description: 'The product whose name the pages carry; it must be configured.' })
  product?: string;
}
