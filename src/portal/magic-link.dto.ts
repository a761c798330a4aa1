// What signing in by mail takes and answers.
import { ApiProperty } from '@nestjs/swagger';
import { EmailAddress, Slug, Text } from '../common/fields.js';
import { TextParam } from '../common/params.js';
import { TokenView } from './session.dto.js';

export class RequestMagicLinkDto {
  @EmailAddress({ required: true, example: 'jane@acme.com' })
  email: string;

  @Text({ max: 2000, description: 'Where to go after sign-in; its origin must be configured.' })
  redirect?: string;

  @Slug({ description: 'The product whose name mail and page carry.' })
  product?: string;
}

export class RequestedMagicLink {
  @ApiProperty({ example: 'ml_k3v9x2m4q8r1a7b2' }) request_id: string;
}

/** Either the token of the link, or the request's id with the code of the same mail. */
export class VerifyMagicLinkDto {
  @Text({ max: 100 })
  token?: string;

  @Text({ max: 100 })
  request_id?: string;

  @Text({ max: 10, example: '123456' })
  code?: string;
}

export class MagicLinkQuery {
  @TextParam({ max: 100, required: true, description: 'The token of the link.' })
  token: string;
}

export class SignedIn extends TokenView {
  @ApiProperty({ format: 'uri', description: 'Where the sign-in was to lead.' }) redirect: string;
}
