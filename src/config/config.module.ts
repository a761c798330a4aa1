// Hands the environment, parsed before the application is built, to whoever needs a part of it.
import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { Env } from './env.js';
import { Products } from './products.js';

export const ENV = Symbol('ENV');

@Global()
@Module({})
export class ConfigModule {
  static with(env: Env): DynamicModule {
    return {
      module: ConfigModule,
      providers: [
        { provide: ENV, useValue: env },
        { provide: Products, useValue: new Products(env.PORTAL_PRODUCTS) },
      ],
      exports: [ENV, Products],
    };
  }
}
