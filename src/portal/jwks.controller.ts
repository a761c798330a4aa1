// The public signing keys, for portals that verify tokens themselves.
import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { JWK } from 'jose';
import { Public } from '../auth/access.decorator.js';
import { PortalSettings } from './portal-settings.js';
import { SigningKeysService } from './signing-keys.service.js';

/** The public keys in the form that RFC 7517 fixes, without our envelope. */
@ApiExcludeController()
@Controller('.well-known')
export class JwksController {
  constructor(
    private readonly keys: SigningKeysService,
    private readonly settings: PortalSettings,
  ) {}

  @Get('jwks.json')
  @Public()
  @Header('cache-control', 'public, max-age=60')
  async jwks(): Promise<{ keys: JWK[] }> {
    return this.settings.sharedSecret ? { keys: [] } : this.keys.publicKeys();
  }
}
